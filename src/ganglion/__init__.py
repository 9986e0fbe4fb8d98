"""Run AI models where the data is born, and learn from it in the cloud."""
