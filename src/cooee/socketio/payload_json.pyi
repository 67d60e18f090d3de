# Only for other native modules: see payload_json.pxd.
