import Catalogue
import Embedding
import Foundation
import Imaging
import Products
import Publishing
import Sandbox
import Settings
import Watching

// Where one room's words become another's.

extension ModelSource {
    init(settings: Settings, executable: String) throws(ModelError) {
        let folder = try ModelLibrary(configured: settings.modelFolder, executable: executable)
            .folder(of: settings.modelName)
        let shape = settings.shape(of: try ModelManifest(folder: folder))
        try self.init(
            folder: folder, precision: Precision(rawValue: settings.modelPrecision) ?? .f32,
            reading: "\(PhotoReader.version) \(shape)")
    }

    var record: ModelRecord {
        ModelRecord(
            identity: identity, name: manifest.name, precision: precision.rawValue,
            dimension: manifest.dimension)
    }
}

extension ModelManifest {
    init(settings: Settings, executable: String) throws(ModelError) {
        let library = ModelLibrary(configured: settings.modelFolder, executable: executable)
        try self.init(folder: try library.folder(of: settings.modelName))
    }
}

extension Settings {
    /// The picture that a model gets: as its manifest says, unless it is set otherwise.
    func shape(of manifest: ModelManifest) -> PictureShape { picture.applied(to: manifest.shape) }

    /// Names the rules under which a photo can fail for good.
    var readingRules: String {
        [
            PhotoReader.version, maxFileBytes, maxPixels, maxFrames, maxProfileBytes, maxMetadataBytes,
            workerTimeoutSeconds, workerMemoryBytes, isSandboxed ? 1 : 0,
        ].map(String.init).joined(separator: "/")
    }
}

extension PhotoReader {
    init(settings: Settings, manifest: ModelManifest) {
        self.init(
            shape: settings.shape(of: manifest),
            limits: Limits(
                fileBytes: settings.maxFileBytes, pixels: settings.maxPixels, frames: settings.maxFrames,
                profileBytes: settings.maxProfileBytes, metadataBytes: settings.maxMetadataBytes))
    }
}

extension PhotoWorkers {
    convenience init(
        settings: Settings, manifest: ModelManifest, executable: String, describesAll: Bool = false
    ) {
        let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        self.init(
            // By this name the kernel runs the very program that runs now, whatever was installed meanwhile.
            executable: executable == own ? "/proc/self/exe" : executable,
            reader: PhotoReader(settings: settings, manifest: manifest),
            // Two at least: while one is held up by a bad photo, the others go on.
            count: max(2, settings.effectiveThreads),
            limits: WorkerLimits(
                memoryBytes: settings.workerMemoryBytes, timeoutSeconds: settings.workerTimeoutSeconds),
            isContained: settings.isSandboxed, describesAll: describesAll)
    }
}

extension PhotoFilter {
    init(settings: Settings) {
        self.init(
            extensions: settings.imageExtensions, excludes: settings.imageExcludes,
            followsLinks: settings.followsLinks)
    }
}

extension ProductDocument {
    init(_ ranked: RankedProduct) {
        self.init(
            product: ranked.product, images: ranked.images,
            recommendations: ranked.similar.map {
                Recommendation(product: $0.neighbour.product, image: $0.image, score: $0.neighbour.score)
            })
    }
}
