import Settings
import Watching

// What the settings say of the image folder.

extension PhotoFilter {
    package init(settings: Settings) {
        self.init(
            extensions: settings.imageExtensions, excludes: settings.imageExcludes,
            followsLinks: settings.followsLinks)
    }
}
