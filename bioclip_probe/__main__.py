"""``python -m bioclip_probe`` is ``bioclip-probe``."""

from bioclip_probe.cli.main import main

raise SystemExit(main())
