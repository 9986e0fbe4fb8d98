"""From the journal to the hub: records, batches, samples."""
