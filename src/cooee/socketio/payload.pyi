# Only for other native modules: see payload.pxd.
