import Foundation

/// Where model folders are looked for.
package struct ModelLibrary: Sendable {
    /// The folders, the first has precedence.
    package let folders: [String]

    /// - Parameters:
    ///   - configured: the settings' `model.folder`; if present, the only place.
    ///   - executable: the running program's path.
    package init(configured: String?, executable: String) {
        if let configured {
            folders = [configured]
            return
        }
        let program = URL(fileURLWithPath: executable).resolvingSymlinksInPath().deletingLastPathComponent()
        let installed = program.deletingLastPathComponent().appendingPathComponent(
            "share/imgrec-agent/models")
        // A built program lies in .build/<platform>/<configuration> of its tree.
        let built = (0..<3).reduce(program) { url, _ in url.deletingLastPathComponent() }
            .appendingPathComponent(".deps/models")
        folders = [installed.path, built.path]
    }

    /// The folder of the model with this name.
    package func folder(of name: String) throws(ModelError) -> String {
        let manager = FileManager.default
        for folder in folders where manager.fileExists(atPath: "\(folder)/\(name)/\(ModelManifest.fileName)")
        {
            return "\(folder)/\(name)"
        }
        let known = folders.flatMap { (try? manager.contentsOfDirectory(atPath: $0)) ?? [] }.sorted()
        throw .notFound(name: name, folders: folders, known: known)
    }
}
