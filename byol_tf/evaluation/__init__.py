"""What a frozen encoder is worth: features, classifiers, statistics."""
