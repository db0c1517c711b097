// Neighbours: vectors and ids in, the exact top-k by cosine similarity out, and kept exact while vectors come,
// change and go. It knows nothing of files, SQL or JSON.
//
// `NeighbourTable` is the front door: it keeps codes of one byte a dimension in memory and reads vectors from a
// `VectorStore`. `Scan` finds the pairs that the codes leave open, `Rescoring` decides them. `FlatSearch` does the
// same without a table, for whoever looks once, and for whoever checks.
//
// Among equal scores the smaller product id comes first. Scores have the same bits however they are computed
// (neighbour_kernels.h), so a table that was updated and one that was made anew are equal, ids and bits alike.
