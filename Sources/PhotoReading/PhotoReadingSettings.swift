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
        [digest(of: .failures), model].reduce("\(PhotoReader.version)") { "\($0)/\("\($1)".prefix(16))" }
    }
}

extension PhotoReader {
    package init(settings: Settings, shapes: [PictureShape]) {
        self.init(
            shapes: shapes,
            limits: Limits(
                fileBytes: settings.images.maxFileBytes, pixels: settings.images.maxPixels,
                frames: settings.images.maxFrames,
                profileBytes: settings.images.maxProfileBytes, metadataBytes: settings.images.maxMetadataBytes
            ))
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
                memoryBytes: settings.workers.memoryBytes, timeoutSeconds: settings.workers.timeoutSeconds),
            isContained: settings.workers.sandbox == .on, describesAll: describesAll)
    }
}
