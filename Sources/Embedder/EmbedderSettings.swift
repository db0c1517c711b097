import Embedding
import Imaging
import Settings

// What the settings say of models.

extension Settings {
    /// The settings' check lets no other text through than those that `Precision` knows.
    package var precision: ModelSource.Precision { .init(rawValue: modelPrecision) ?? .f32 }

    /// Nil where no compiled networks are kept (`cache.folder = "none"`).
    package var networkCache: NetworkCache? {
        cacheFolder.map { NetworkCache(folder: $0, maxBytes: maxCachedBytes) }
    }
}

extension ModelLibrary {
    package init(settings: Settings, executable: String) {
        self.init(
            configured: settings.modelFolder, own: "\(settings.stateFolder)/models", executable: executable)
    }
}

extension ModelSource {
    /// The model that the settings name.
    package init(settings: Settings, executable: String) throws(ModelError) {
        let library = ModelLibrary(settings: settings, executable: executable)
        try self.init(
            try Recipe(settings: settings, library: library), in: library, readerVersion: PhotoReader.version)
    }
}

extension ModelSource.Recipe {
    package init(settings: Settings, library: ModelLibrary) throws(ModelError) {
        var parts: [Part] = []
        for choice in settings.models {
            let manifest = try ModelManifest(folder: try library.folder(of: choice.name))
            parts.append(
                Part(
                    name: choice.name, weight: choice.weight,
                    shape: settings.picture.applied(to: manifest.shape)))
        }
        self.init(parts: parts, precision: settings.precision)
    }
}
