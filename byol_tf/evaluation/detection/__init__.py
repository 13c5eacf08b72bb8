"""Evaluation of detected objects and their keypoints."""
