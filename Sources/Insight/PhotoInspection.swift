import Embedder
import Embedding
import Foundation
import Imaging
import PhotoReading
import Products
import Sandbox
import Settings

/// What a photo is and what the network will see of it.
package struct PhotoInspection: Sendable {
    package let description: PhotoDescription
    /// What a network sees.
    package struct View: Sendable {
        /// The name of the model.
        package let model: String
        /// The size, fit and filter that made the picture.
        package let shape: PictureShape
        /// Whether the model's fit was overridden by the settings.
        package let isOverridden: Bool
        package let picture: Picture
    }

    /// One for each model of the settings, in their order.
    package let views: [View]

    /// Reads a photo as the agent would.
    ///
    /// - Parameter file: any path.
    package init(of file: String, settings: Settings, executable: String) throws {
        let library = ModelLibrary(settings: settings, executable: executable)
        let recipe = try ModelSource.Recipe(settings.models, settings: settings, library: library)
        let shapes = try recipe.parts.map { try ModelManifest(folder: library.folder(of: $0.name)).shape }
        let workers = PhotoWorkers(
            settings: settings, shapes: recipe.parts.map(\.shape), executable: executable, describesAll: true)
        let url = URL(fileURLWithPath: file).resolvingSymlinksInPath()
        guard FileManager.default.fileExists(atPath: url.path), let path = ImagePath(url.lastPathComponent)
        else { throw InsightError.unknownProduct(file) }
        let bytes: [UInt8]
        do throws(PhotoFileError) {
            bytes = try PhotoFile.read(
                path, in: url.deletingLastPathComponent().path, limit: settings.images.maxFileBytes,
                followsLinks: false
            ).bytes
        } catch {
            throw InsightError.unreadablePhoto(path: file, reason: error.description)
        }
        switch try workers.read(bytes) {
        case .success(let reading):
            guard let found = reading.description else {
                throw InsightError.unreadablePhoto(path: file, reason: WorkerFailure.nonsense.description)
            }
            description = found
            views = recipe.parts.enumerated().map { index, part in
                View(
                    model: part.name, shape: part.shape, isOverridden: part.shape != shapes[index],
                    picture: reading.pictures[index])
            }
        case .failure(let failure):
            throw InsightError.unreadablePhoto(path: file, reason: failure.description)
        }
    }
}
