"""What single families of losses promise beyond the contract."""
