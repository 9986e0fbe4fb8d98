"""What every process of ours needs: logs, the pipe to its parent, words for its end, sandboxes."""
