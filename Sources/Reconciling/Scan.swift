import Watching

extension Workplace {
    /// What lies in the image folder, or at some places of it. Opens no photo.
    ///
    /// - Throws: `FolderScanError` where the folder is not there: nothing has been touched yet.
    func scan(_ scope: Round.Scope) throws(FolderScanError) -> FolderScan {
        progress(.scanning)
        let tell: @Sendable () -> Void = { [progress] in progress(.scanning) }
        return switch scope {
        case .everything: try FolderScan(of: settings.images.folder, filter: filter, progress: tell)
        case .places(let places):
            try FolderScan(of: settings.images.folder, at: places, filter: filter, progress: tell)
        }
    }
}
