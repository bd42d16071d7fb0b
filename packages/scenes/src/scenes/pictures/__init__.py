"""Pictures of scenes for people: colours, sheets and pages."""
