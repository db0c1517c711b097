// Embedding: pictures in, vectors of unit length out.
//
// A model is a folder: a manifest that says all there is to know of it, and the network as ONNX or OpenVINO
// IR. `ModelLibrary` finds the folder, `Model` loads the network once, and each thread that embeds has an
// `EmbeddingLane` of its own. Several models may be one: their vectors, weighted, after each other. With
// precision `f32` the same pictures give the same bits on every run.
