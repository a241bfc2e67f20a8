"""What is wrong with a loss function: checks, each of one property, and the words that help."""
