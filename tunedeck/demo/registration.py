"""Puts the demo's model and data set into a deployment, once: what is already registered is used again."""

from __future__ import annotations

from tunedeck.client import Client
from tunedeck.demo import assets
from tunedeck.settings import Settings


def register(client: Client, settings: Settings) -> None:
    """After it, `assets.demo_spec()` can be submitted. The files go below the folders that the service may read."""
    if assets.MODEL_NAME not in {model.name for model in client.models()}:
        folder = settings.models_dir / assets.MODEL_NAME
        assets.write_base_model(folder)
        client.add_model(assets.MODEL_NAME, folder)
    if assets.DATASET_NAME not in {dataset.name for dataset in client.datasets()}:
        file = settings.datasets_dir / f"{assets.DATASET_NAME}.jsonl"
        assets.write_dataset(file)
        client.add_dataset(assets.DATASET_NAME, file)
