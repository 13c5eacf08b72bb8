"""Packages `configs`, which stays at the top, as `byol_tf.configs`."""

import setuptools

setuptools.setup(
    packages=[
        *setuptools.find_packages(include=["byol_tf*"]),
        "byol_tf.configs",
        "byol_tf.configs.commands",
    ],
    package_dir={"byol_tf.configs": "configs"},
)
