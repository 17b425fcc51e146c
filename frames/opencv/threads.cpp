// gocv has no cv::setNumThreads.
#include <opencv2/core/utility.hpp>

extern "C" void captiond_one_thread(void) { cv::setNumThreads(1); }
