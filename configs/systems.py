"""The systems of `byol_tf system`, by name."""

# The verbs of each system, with the flags they take besides --data and --run.
SYSTEMS = {
    "customer_service": {
        "fit": (),
        "ask": ("text",),
        "serve": ("host", "port"),
        "evaluate": (),
    },
    "finance_monitor": {
        "fit": (),
        "watch": ("input", "once", "page"),
        "evaluate": (),
    },
    "code_search": {"fit": (), "ask": ("text",), "evaluate": ()},
    "recommender": {
        "fit": (),
        "recommend": ("text", "history", "out"),
        "serve": ("host", "port"),
        "evaluate": (),
    },
    "explore": {"run": ()},  # the only verb may be left out
}
# Verbs that work before `fit`, by system.
FIRST = {name: ("fit",) for name in SYSTEMS} | {
    "code_search": ("fit", "evaluate"),
    "explore": ("run",),
}
