"""The customer-service assistant: when it hands over, and how it answers.

byol_tf system customer_service fit --data=DIR --run=RUN
"""

import ml_collections

from configs import serve


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # Lowest share of handed-over questions that are really out of scope.
    config.precision = 0.8
    config.out_of_scope = 0.2  # assumed share of questions out of scope
    config.held_out = 0.2  # share of train.csv, if there is no val.csv
    config.seed = 0
    # Candidates, chosen on held-out rows. plain: words and trigrams; rich: word
    # pairs and 2 to 5 letters as well.
    config.shapes = ("rich",)
    config.strengths = (1.0,)  # inverse L2 penalties

    config.template = "{answer}\n(From: {question} [{source}])"
    config.intent = "Your question is about: {intent}."
    config.hand_over = "I pass this on to a person, who will answer you."
    config.nearest = 3  # known answers to show
    config.sentences = 3  # sentences of an answer to give

    config.server = serve.get_config()
    return config
