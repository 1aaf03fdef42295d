"""``python -m bioclip_probe`` is ``bioclip-probe``."""

from bioclip_probe.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
