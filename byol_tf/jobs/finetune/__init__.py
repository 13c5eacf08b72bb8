"""Fine-tuning: from a configuration to its results."""
