plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

// The files of the repository, not copies of them: add released or exported models here, the first one is the default.
val detector = "retinaface_035_fp16"
val models = listOf("student_68_128_fp16", "student_68_256_fp16", "efld_51_128_int8")
val repository = rootDir.resolve("../..")
val copied = layout.buildDirectory.dir("models")

val copyModels = tasks.register<Sync>("copyModels") {
    from(repository.resolve("distill/detection/models")) { include("$detector.*") }
    from(repository.resolve("checkpoints")) { models.forEach { include("$it.tflite", "$it.json") } }
    into(copied)
    doLast {
        for (name in listOf(detector) + models) for (suffix in listOf("tflite", "json")) {
            check(copied.get().file("$name.$suffix").asFile.isFile) { "$name.$suffix: not in this repository" }
        }
        copied.get().file("models.txt").asFile.writeText(models.joinToString("\n"))
    }
}

android {
    namespace = "distill.app"
    compileSdk = 36

    defaultConfig {
        applicationId = "distill.app"
        minSdk = 24
        targetSdk = 36
        versionCode = 1
        versionName = "1"
    }

    sourceSets["main"].assets.srcDir(copied)
    androidResources { noCompress += "tflite" }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }
    kotlinOptions { jvmTarget = "11" }
}

tasks.named("preBuild") { dependsOn(copyModels) }

dependencies {
    implementation(project(":core"))
    implementation("com.google.ai.edge.litert:litert:1.4.2")
    implementation("androidx.activity:activity:1.10.1")
    implementation("androidx.camera:camera-camera2:1.4.2")
    implementation("androidx.camera:camera-lifecycle:1.4.2")
}
