"""Examples of the gate in web frameworks, to copy from. The tests run them as they are."""
