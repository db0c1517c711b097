// Products: the words that all rooms share. It imports nothing of ours and does no I/O.
//
// A photo has an `ImagePath` (where it lies in the folder) and a `ContentDigest` (what it holds); photos
// of one product share a `ProductID`. A photo becomes a `Picture` of the size that a `PictureShape`
// asks for, and a picture an `Embedding` of unit length; products near each other are each other's
// `Neighbour`s.
//
// Names are compared byte by byte, never by Unicode equivalence: two files may differ in nothing else.
