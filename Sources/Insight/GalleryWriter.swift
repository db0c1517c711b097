import Catalogue
import Foundation
import Products
import Publishing
import Reconciling
import Settings

/// Writes the review page.
package enum GalleryWriter {
    /// The page's folder where no other is given, in the state folder.
    package static let folderName = "review"

    package struct Outcome: Sendable {
        /// How many products the page shows.
        package let products: Int
        /// The file to open.
        package let page: String
        /// Whether it shows something else than before.
        package let isNew: Bool
    }

    /// - Parameter folder: absolute path; it is made where it is missing.
    package static func write(settings: Settings, to folder: String) throws -> Outcome {
        guard let catalogue = try Catalogue.forReading(stateFolder: settings.state.folder),
            let model = try catalogue.summary().model
        else { throw InsightError.nothingYet(stateFolder: settings.state.folder) }
        let failed = try catalogue.failedImages().map { ($0.path, $0.failureReason ?? "") }
        var gallery = Gallery(
            imagesFolder: settings.images.folder, folder: folder, model: model.name,
            nearDuplicateScore: settings.gallery.nearDuplicateScore, failed: failed)
        let form = DocumentForm(settings)
        try catalogue.forEachRankedProduct { gallery.add(form.document(of: $0)) }
        let (page, data) = ("\(folder)/\(Gallery.pageName)", "\(folder)/\(Gallery.dataName)")
        let manager = FileManager.default
        let old = manager.contents(atPath: data)
        let isOurs = old.map { Gallery.isData(Array($0)) } ?? !manager.fileExists(atPath: page)
        var isFolder: ObjCBool = true
        guard isOurs, !manager.fileExists(atPath: folder, isDirectory: &isFolder) || isFolder.boolValue else {
            let what = isFolder.boolValue ? "something that is not a review page is there" : "it is a file"
            throw InsightError.cannotWrite(
                file: folder, reason: what,
                remedy: "Name a folder of its own for the page with --output FOLDER.")
        }
        let new = gallery.data(previous: old.map { Array($0) }, now: Date())
        do {
            try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data(Gallery.page).write(to: URL(fileURLWithPath: page), options: .atomic)
            if let new { try Data(new).write(to: URL(fileURLWithPath: data), options: .atomic) }
        } catch {
            throw InsightError.cannotWrite(file: folder, reason: error.localizedDescription)
        }
        return Outcome(products: gallery.count, page: page, isNew: new != nil)
    }
}
