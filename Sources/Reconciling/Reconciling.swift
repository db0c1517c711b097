// Reconciling: the only room that knows the order of work.
//
//     scan -> plan -> apply (read, embed, store) -> rank -> recommend -> publish
//
// The folder is the truth. A round of the `Reconciler` compares it with the catalogue and makes the catalogue, and then the
// output, agree with it; whatever woke it up, and whatever stopped the run before, there is this one path. Each step is a file of
// its name. The rooms below do not know each other: what passes between them are the words of `Products`.

import PhotoReading
import Products
import Settings
import Watching

/// What all steps of all rounds know: the settings, and what follows from them.
struct Workplace {
    let settings: Settings
    /// The running program's path, beside which models are found.
    let executable: String
    /// Whether the model in service goes on until the wanted one has a vector of every photo.
    let keepsModelInService: Bool
    let grouping: ProductGrouping
    let filter: PhotoFilter
    let form: DocumentForm
    /// Called often, on the thread of the round.
    let progress: @Sendable (ReconcileProgress) -> Void

    init(
        settings: Settings, executable: String, keepsModelInService: Bool,
        progress: @escaping @Sendable (ReconcileProgress) -> Void
    ) {
        self.settings = settings
        self.executable = executable
        self.keepsModelInService = keepsModelInService
        self.progress = progress
        grouping = ProductGrouping(settings.images.productPattern)
        filter = PhotoFilter(settings: settings)
        form = DocumentForm(settings)
    }
}
