"""Write anndata.h5ad with anndata 0.12 and its own pandas: ``python make_anndata.py``; test_vectors.py reads it."""


def main() -> None:
    """Write the file into the working folder."""
    import anndata  # not installed with the tests
    import numpy as np
    import pandas as pd

    obs = pd.DataFrame(
        {
            "class": pd.Categorical(["Aves", None, "Aves"]),
            "genus": ["Pica", "Quercus", "Corvus"],
            "species": ["Pica pica", "Quercus robur", "Corvus corax"],
            "n_pixels": [4, 5, 6],
        },
        index=["a", "b", "c"],
    )
    data = anndata.AnnData(np.arange(12, dtype=np.float32).reshape(3, 4), obs=obs)
    data.obsm["X_clip"] = np.arange(6, dtype=np.float64).reshape(3, 2)
    data.write_h5ad("anndata.h5ad", compression="gzip")


if __name__ == "__main__":
    main()
