"""The customer-service assistant: when it hands over, and what it says.

byol_tf system customer_service fit --data=DIR --run=RUN
"""

import ml_collections

from configs import serve


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # Of the questions that are handed over to a person, the share that should
    # be, at least, if one in five questions is out of scope.
    config.precision = 0.8
    config.out_of_scope = 0.2
    config.held_out = 0.2  # share of train.csv, where there is no val.csv
    config.seed = 0
    # What held-out rows choose from: "plain" is words and trigrams, "rich"
    # pairs of words and 2 to 5 letters, too; strengths of the classifier.
    config.shapes = ("rich",)
    config.strengths = (1.0,)

    config.template = "{answer}\n(From: {question} [{source}])"
    config.intent = "Your question is about: {intent}."
    config.hand_over = "I pass this on to a person, who will answer you."
    config.nearest = 3  # known answers that are shown
    config.sentences = 3  # of an answer that are said

    config.server = serve.get_config()
    return config
