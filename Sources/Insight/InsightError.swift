import Products

/// Why a question has no answer, or an answer no place.
package enum InsightError: ExplainedError, Hashable {
    /// No such product or photo.
    case unknownProduct(String)
    case unreadablePhoto(path: String, reason: String)
    case nothingYet(stateFolder: String)
    case nothingToEvaluate(reason: String)
    /// What is to be a model cannot be one.
    case badModel(reason: String, remedy: String? = nil)
    case cannotWrite(file: String, reason: String, remedy: String? = nil)

    package var explanation: Explanation {
        switch self {
        case .unknownProduct(let name):
            .init(
                "there is no product, photo or file \"\(name)\"",
                remedy:
                    "Name a product (dress/dress-001), a photo in the image folder (dress/dress-001.jpg) or any image file.",
                .noInput)
        case .unreadablePhoto(let path, let reason):
            .init("\(path): \(reason)", .dataError)
        case .nothingYet(let stateFolder):
            .init(
                "there is no catalogue in \(stateFolder) yet", remedy: "Run 'imgrec-agent reconcile' first.",
                .tryAgain)
        case .nothingToEvaluate(let reason):
            .init("there is nothing to evaluate: \(reason)", .dataError)
        case .badModel(let reason, let remedy):
            .init(reason, remedy: remedy, .dataError)
        case .cannotWrite(let file, let reason, let remedy):
            .init("\(file) cannot be written: \(reason)", remedy: remedy, .cannotCreate)
        }
    }
}
