import Imaging
import Products
import Sandbox
import Settings

// What the settings say of reading photos.

extension Settings {
    /// Names the rules under which a photo can fail for good.
    ///
    /// - Parameter model: the model's identity: one may find a direction where another does not.
    package func readingRules(_ model: ContentDigest) -> String {
        [
            PhotoReader.version, maxFileBytes, maxPixels, maxFrames, maxProfileBytes, maxMetadataBytes,
            workerTimeoutSeconds, workerMemoryBytes, isSandboxed ? 1 : 0,
        ].map(String.init).joined(separator: "/") + "/\("\(model)".prefix(16))"
    }
}

extension PhotoReader {
    package init(settings: Settings, shapes: [PictureShape]) {
        self.init(
            shapes: shapes,
            limits: Limits(
                fileBytes: settings.maxFileBytes, pixels: settings.maxPixels, frames: settings.maxFrames,
                profileBytes: settings.maxProfileBytes, metadataBytes: settings.maxMetadataBytes))
    }
}

extension PhotoWorkers {
    package convenience init(
        settings: Settings, shapes: [PictureShape], executable: String, describesAll: Bool = false
    ) {
        self.init(
            executable: OwnProgram.runnable(executable),
            reader: PhotoReader(settings: settings, shapes: shapes),
            // Two at least: while one is held up by a bad photo, the others go on.
            count: max(2, settings.effectiveThreads),
            limits: WorkerLimits(
                memoryBytes: settings.workerMemoryBytes, timeoutSeconds: settings.workerTimeoutSeconds),
            isContained: settings.isSandboxed, describesAll: describesAll)
    }
}
