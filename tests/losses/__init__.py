"""What is special about the losses of one family: limiting cases, identities, tails, known failures elsewhere."""
