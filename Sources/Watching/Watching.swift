// Watching: what is under a folder, and hints that it has changed. The folder is the truth; everything else is a
// hint to look again.
//
// `FolderScan` lists the photos of a folder, or of places in it, without reading one. `FolderWatcher` reports where
// something may have changed. Both pass over what `PhotoFilter` names. A hint may be wrong or come twice, but none
// is missing: where the kernel loses one, the hint is to look at everything.
