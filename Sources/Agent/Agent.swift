// Agent: the only room that knows the order of work.
//
//     scan -> plan -> apply (read, embed, store) -> rank -> publish
//
// The folder is the truth. `Reconciler` compares it with the catalogue and makes the catalogue, and then the
// output, agree with it; whatever woke it up, and whatever stopped the run before, there is this one path.
// The rooms below do not know each other: what passes between them are the words of `Products`.
