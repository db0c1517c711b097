import Embedding
import Imaging
import Settings

// What the settings say of models.

extension Settings {
    /// Nil where no compiled networks are kept (`cache.folder = "none"`).
    package var networkCache: NetworkCache? {
        cacheFolder.map { NetworkCache(folder: $0, maxBytes: cache.maxNetworkBytes) }
    }
}

extension ModelLibrary {
    package init(settings: Settings, executable: String) {
        self.init(
            configured: settings.model.folder, own: "\(settings.state.folder)/models", executable: executable)
    }
}

extension ModelSource {
    /// The model that the settings name, or others with the picture and the precision of the settings.
    package init(_ models: [ModelChoice]? = nil, settings: Settings, executable: String) throws(ModelError) {
        let library = ModelLibrary(settings: settings, executable: executable)
        let recipe = try Recipe(models ?? settings.models, settings: settings, library: library)
        try self.init(recipe, in: library, readerVersion: PhotoReader.version)
    }
}

extension ModelSource.Recipe {
    package init(_ models: [ModelChoice], settings: Settings, library: ModelLibrary) throws(ModelError) {
        var parts: [Part] = []
        for choice in models {
            let manifest = try ModelManifest(folder: try library.folder(of: choice.name))
            parts.append(
                Part(
                    name: choice.name, weight: choice.weight,
                    shape: settings.picture.applied(to: manifest.shape)))
        }
        self.init(parts: parts, precision: settings.model.precision)
    }
}
