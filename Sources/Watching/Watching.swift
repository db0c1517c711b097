// Watching: what is under a folder. The folder is the truth; everything else is a hint to look again.
//
// `FolderScan` lists the photos of a folder without reading one; `WatchBudget` tells whether the kernel
// allows a watch on each of its folders.
