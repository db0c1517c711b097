import Embedding
import PhotoReading
import Settings

/// All that a model needs to embed photos: its networks, which are loaded when they are first needed, and the processes
/// that make the pictures it wants.
package final class ModelAtWork: Sendable {
    package let source: ModelSource
    package let network: ModelLoader
    package let workers: PhotoWorkers

    package init(_ source: ModelSource, settings: Settings, executable: String, describesAll: Bool = false) {
        self.source = source
        network = ModelLoader(
            source, threads: settings.effectiveThreads, cache: settings.networkCache)
        workers = PhotoWorkers(
            settings: settings, shapes: source.shapes, executable: executable, describesAll: describesAll)
    }

    /// Takes photos of a folder through this model.
    package func pipeline(_ settings: Settings) -> EmbeddingPipeline {
        EmbeddingPipeline(
            folder: settings.images.folder, workers: workers, fileLimit: settings.images.maxFileBytes,
            followsLinks: settings.images.followsLinks, model: network, threads: settings.effectiveThreads)
    }
}
