"""The Objects Room of the MONet paper (appendix C), rendered with MuJoCo."""
