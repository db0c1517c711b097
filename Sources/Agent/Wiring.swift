import Catalogue
import Embedding
import Foundation
import Imaging
import Products
import Publishing
import Settings
import Watching

// Where one room's words become another's.

extension ModelSource {
    init(settings: Settings, executable: String) throws(ModelError) {
        let library = ModelLibrary(configured: settings.modelFolder, executable: executable)
        try self.init(
            folder: try library.folder(of: settings.modelName),
            precision: Precision(rawValue: settings.modelPrecision) ?? .f32,
            readerVersion: PhotoReader.version)
    }

    var record: ModelRecord {
        ModelRecord(
            identity: identity, name: manifest.name, precision: precision.rawValue,
            dimension: manifest.dimension)
    }
}

extension PhotoReader {
    init(settings: Settings, shape: PictureShape) {
        self.init(
            shape: shape, limits: Limits(fileBytes: settings.maxFileBytes, pixels: settings.maxPixels))
    }

    /// Names the rules under which a photo can fail for good.
    var rules: String { "\(Self.version)/\(limits.fileBytes)/\(limits.pixels)" }
}

extension PhotoFilter {
    init(settings: Settings) {
        self.init(extensions: settings.imageExtensions, excludes: settings.imageExcludes)
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
