import Catalogue
import Products

/// Why a round cannot be made, or not be finished.
package enum ReconcileError: ExplainedError, Hashable {
    /// The process is to end; what was not finished is done at the next start.
    case stopped
    /// Photos that cannot be read now have no vector of the new model.
    case modelIncomplete(photos: Int, first: String)
    /// The model that the settings name could not take over; the one in service goes on.
    case changeFailed(reason: String)
    /// The output folder has files of products that this catalogue does not know and that have no photo.
    case outputOfOthers(folder: String, missing: Int, products: Int)

    package var explanation: Explanation {
        switch self {
        case .stopped:
            .init("the agent was stopped before this was finished; it goes on at the next start", .tryAgain)
        case .modelIncomplete(let photos, let first):
            .init(
                "\(photos) photos have no vector of the new model, the first is \(first)",
                remedy:
                    "Make them readable, or put them back; to leave them out, run 'imgrec-agent reconcile --allow-mass-removal'.",
                .tryAgain)
        case .changeFailed(let reason):
            .init(
                "the change to the model of the settings failed, and the one in service goes on: \(reason)",
                .tryAgain)
        case .outputOfOthers(let folder, let missing, let products):
            .init(
                "\(folder) has files of \(products) products that this catalogue does not know, and \(missing) of them have no photo, so nothing was published",
                remedy:
                    "If the photos are not where they should be (not mounted?), mend that; if the output folder is another shop's, correct output.folder; if these files are meant to go, run 'imgrec-agent reconcile --allow-mass-removal'.",
                .tryAgain)
        }
    }
}

extension Error {
    /// Whether nobody foresaw it, or the catalogue cannot be relied on: trying again makes no sense, for nothing is known of what
    /// was left.
    package var isBeyondRepair: Bool {
        switch self as any Error {
        case CatalogueError.damaged, CatalogueError.fromNewerVersion, CatalogueError.foreign,
            CatalogueError.gone:
            true
        default: !(self is any ExplainedError)
        }
    }
}
