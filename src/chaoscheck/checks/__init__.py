"""The judge: pure functions history x model -> Verdict (OK | VIOLATED | UNKNOWN) with a witness."""
