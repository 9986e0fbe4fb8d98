"""What key holders do on machines of their own: ceremony, envelope, signatures, proofs."""
