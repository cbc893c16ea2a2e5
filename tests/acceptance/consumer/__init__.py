"""The proofs of the consumer: real processes are killed, servers restarted, and the history is checked."""
