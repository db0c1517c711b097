import Catalogue
import Products
import Settings
import Watching

/// What is in the catalogue: the same type for the text and for `--json`.
package struct StatusReport: Codable, Hashable, Sendable {
    package struct Model: Codable, Hashable, Sendable {
        package let name: String
        package let precision: String
        package let dimension: Int
    }

    package struct Failure: Codable, Hashable, Sendable {
        package let path: String
        package let reason: String
        package let attempts: Int
    }

    package let imagesFolder: String
    package let outputFolder: String
    package let stateFolder: String
    /// Nil until the first reconcile has ranked.
    package let model: Model?
    package let products: Int
    package let photos: Int
    package let failed: [Failure]
    /// Products whose file is not known to be up to date.
    package let due: Int
    /// Whether a reconcile was interrupted before it had published all.
    package let isInterrupted: Bool
    /// How many folders the image folder has, itself included; nil where it cannot be listed.
    package let folders: Int?
    /// How many folders the kernel allows to watch.
    package let watchesAllowed: Int?

    /// Reads the catalogue; looks into the image folder for its count of folders only.
    package init(settings: Settings) throws(AgentError) {
        imagesFolder = settings.imagesFolder
        outputFolder = settings.outputFolder
        stateFolder = settings.stateFolder
        folders =
            (try? FolderScan(
                of: settings.imagesFolder,
                filter: PhotoFilter(extensions: [], excludes: settings.imageExcludes)))?.folderCount
        watchesAllowed = WatchBudget.allowed
        guard let catalogue = try inRooms({ try Catalogue.existing(stateFolder: settings.stateFolder) })
        else {
            throw .nothingYet(stateFolder: settings.stateFolder)
        }
        let summary = try inRooms { try catalogue.summary() }
        model = summary.model.map { Model(name: $0.name, precision: $0.precision, dimension: $0.dimension) }
        products = summary.products
        photos = summary.ready
        due = summary.due
        isInterrupted = summary.isRankingDue || summary.due > 0
        failed = try inRooms { try catalogue.failedImages() }.map { record in
            guard case .failed(let reason, let attempts, _) = record.state else {
                preconditionFailure("asked for failed photos")
            }
            return Failure(path: record.path.text, reason: reason, attempts: attempts)
        }
    }
}
