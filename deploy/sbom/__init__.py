"""Bills of materials: what each image holds, in CycloneDX."""
