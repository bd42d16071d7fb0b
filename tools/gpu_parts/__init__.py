"""The parts of tools/gpu. Those that draw import no torch: two LLVMs in one process crash."""
