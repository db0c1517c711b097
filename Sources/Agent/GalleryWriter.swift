import Catalogue
import Foundation
import Publishing
import Settings

/// Writes the review page.
package enum GalleryWriter {
    /// The page's name where no other is given, in the state folder.
    package static let fileName = "gallery.html"

    /// - Parameter file: absolute path; its folder is made where it is missing.
    /// - Returns: how many products the page shows.
    package static func write(settings: Settings, to file: String) throws(AgentError) -> Int {
        guard let catalogue = try Catalogue.forReading(stateFolder: settings.stateFolder),
            let model = try inRooms({ try catalogue.summary() }).model
        else { throw .nothingYet(stateFolder: settings.stateFolder) }
        let url = URL(fileURLWithPath: file)
        let folder = url.deletingLastPathComponent()
        let failed = try inRooms { try catalogue.failedImages() }.map { ($0.path, $0.failureReason ?? "") }
        var gallery = Gallery(
            imagesFolder: settings.imagesFolder, pageFolder: folder.path, model: model.name, failed: failed)
        let form = try PublishedForm(settings)
        var count = 0
        try inRooms {
            try catalogue.forEachRankedProduct { ranked in
                gallery.add(form.document(of: ranked))
                count += 1
            }
        }
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data(gallery.html()).write(to: url, options: .atomic)
        } catch {
            throw .cannotWrite(file: file, reason: error.localizedDescription)
        }
        return count
    }
}
