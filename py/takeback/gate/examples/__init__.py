"""The gate in front of uploads, in web frameworks: copy the one that is yours. The tests run them as they are."""
