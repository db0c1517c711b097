import Foundation

/// A path made absolute, with its `.` and `..` parts resolved as text.
///
/// - Parameter folder: absolute path that a relative one starts from; nil for the current folder.
package func absolutePath(_ path: String, relativeTo folder: String? = nil) -> String {
    let start = path.hasPrefix("/") ? "" : folder ?? FileManager.default.currentDirectoryPath
    var parts: [Substring] = []
    for part in "\(start)/\(path)".split(separator: "/") where part != "." {
        if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
}
