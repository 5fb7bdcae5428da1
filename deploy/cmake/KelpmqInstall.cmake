# What `cmake --install` and CPack take: component `broker` (the program) and
# component `client` (the C++ client, and the API's .proto files).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/kelpmq)

install(TARGETS kelpmq_client kelpmq_mocks kelpmq_proto
  EXPORT kelpmqTargets COMPONENT client
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT client)
install(EXPORT kelpmqTargets NAMESPACE kelpmq:: DESTINATION ${package_folder} COMPONENT client)

configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/kelpmqConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/kelpmqConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(
  ${CMAKE_CURRENT_BINARY_DIR}/kelpmqConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(
  FILES ${CMAKE_CURRENT_BINARY_DIR}/kelpmqConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/kelpmqConfigVersion.cmake
  DESTINATION ${package_folder} COMPONENT client)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/client/cpp/include/kelpmq
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT client)
install(DIRECTORY ${PROJECT_BINARY_DIR}/proto/generated/kelpmq/v1
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kelpmq COMPONENT client
  FILES_MATCHING PATTERN "*.pb.h" PATTERN "*.grpc.pb.h" EXCLUDE)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/proto/kelpmq/v1
  DESTINATION ${CMAKE_INSTALL_DATADIR}/kelpmq/proto/kelpmq COMPONENT client
  FILES_MATCHING PATTERN "*.proto")

# cpack -G DEB: kelpmq, which needs nothing if it is linked with -static, and
# libkelpmq-dev, whose archives want those of gRPC and Abseil.
set(CPACK_PACKAGE_NAME kelpmq)
set(CPACK_PACKAGE_CONTACT "The KelpMQ authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL broker client)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_BROKER_PACKAGE_NAME kelpmq)
set(CPACK_DEBIAN_BROKER_PACKAGE_SECTION net)
set(CPACK_DEBIAN_BROKER_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENT_BROKER_DESCRIPTION "${PROJECT_DESCRIPTION}")
set(CPACK_DEBIAN_CLIENT_PACKAGE_NAME libkelpmq-dev)
set(CPACK_DEBIAN_CLIENT_PACKAGE_SECTION libdevel)
# Generated code works with the protobuf that generated it.
set(CPACK_DEBIAN_CLIENT_PACKAGE_DEPENDS
  "libgrpc++-dev, libabsl-dev, libprotobuf-dev (>= ${Protobuf_VERSION}~)")
set(CPACK_COMPONENT_CLIENT_DESCRIPTION "C++ client of the KelpMQ message broker")
include(CPack)
